"""What runs behind the page: analyses, their queue, models, storage, limits."""
