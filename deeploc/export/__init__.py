"""What a report becomes for other programs and people: tables and videos."""
