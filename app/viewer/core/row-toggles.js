// Which rows are shown: one button a row, remembered in the browser.

import { make } from "./dom.js";

const KEY = "deeploc-rows";

// What was chosen before, by key of the row; a browser that forgets or forbids storage shows the defaults.
export function recall(storage) {
    try {
        const chosen = JSON.parse(storage.getItem(KEY));
        return chosen && typeof chosen === "object" ? chosen : {};
    } catch {
        return {};
    }
}

export function remember(storage, key, on) {
    try {
        storage.setItem(KEY, JSON.stringify({ ...recall(storage), [key]: on }));
    } catch {
        /* the choice lasts as long as the page */
    }
}

// parts: { key, label, shown (by default), set(on) }.
export function rowToggles(parts, storage) {
    const chosen = recall(storage);
    const buttons = parts.map(({ key, label, shown, set }) => {
        let on = Boolean(chosen[key] ?? shown);
        const button = make("button", {
            type: "button",
            class: "dl-small",
            text: label,
            "data-toggles": key,
            onclick: () => {
                on = !on;
                remember(storage, key, on);
                apply();
            },
        });
        const apply = () => {
            button.setAttribute("aria-pressed", String(on));
            set(on);
        };
        apply();
        return button;
    });
    return make(
        "div",
        { class: "dl-toggles dl-of-model", role: "group", "aria-label": "Rows that are shown" },
        ...buttons,
    );
}
