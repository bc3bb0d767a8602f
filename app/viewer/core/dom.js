// Small makers of elements and texts. Text is always set as text, never as HTML.

export function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
        if (name === "text") element.textContent = value;
        else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
        else if (value !== null && value !== false)
            element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.filter((child) => child !== null));
    return element;
}

export function clockText(seconds) {
    const hundredths = Math.round(seconds * 100);
    const minutes = Math.floor(hundredths / 6000);
    return `${minutes}:${((hundredths % 6000) / 100).toFixed(2).padStart(5, "0")}`;
}

// Runs of steps without a value, in seconds.
export function gaps(values, rate) {
    const found = [];
    values.forEach((value, index) => {
        if (value !== null) return;
        const last = found.at(-1);
        if (last && Math.round(last.end * rate) === index) last.end = (index + 1) / rate;
        else found.push({ start: index / rate, end: (index + 1) / rate });
    });
    return found;
}

// Offers a blob to the person as a file to keep.
export function saveFile(name, blob) {
    const url = URL.createObjectURL(blob);
    make("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
}
