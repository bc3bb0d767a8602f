// A button that opens a short list of actions.

import { make } from "./dom.js";

// entries: [[text, action()]]; label: what a screen reader says of the button.
export function menu(text, label, entries) {
    const details = make(
        "details",
        { class: "dl-menu" },
        make("summary", { text, "aria-label": label }),
        make(
            "div",
            { class: "dl-menu-list" },
            ...entries.map(([name, action]) =>
                make("button", {
                    type: "button",
                    text: name,
                    onclick: () => {
                        details.open = false;
                        action();
                    },
                }),
            ),
        ),
    );
    details.addEventListener("focusout", ({ relatedTarget }) => {
        if (relatedTarget && !details.contains(relatedTarget)) details.open = false;
    });
    return details;
}
