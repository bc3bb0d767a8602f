// The list of keys, as a dialog.

import { make } from "./dom.js";
import { KEYS } from "./keys.js";

const SIGNS = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc" };
const shown = (name) => name.split(/\+(?=.)/).map((part) => SIGNS[part] ?? part);

export class Help {
    constructor() {
        const groups = [...new Set(KEYS.map(([group]) => group))].map((group) => make("section", {}, make("h3", { text: group }),
            make("dl", {}, ...KEYS.filter(([own]) => own === group).flatMap(([, names, text]) => [
                make("dt", {}, ...names.flatMap((name, index) => [index ? " or " : "", ...shown(name).map((part) => make("kbd", { text: part }))])),
                make("dd", { text })]))));
        this.element = make("dialog", { class: "dl-help", "aria-label": "Keys" },
            make("div", { class: "dl-table-head" }, make("h3", { text: "Keys, while the viewer has the focus" }),
                make("button", { type: "button", class: "dl-small", text: "Close", onclick: () => this.element.close() })),
            make("div", { class: "dl-help-groups" }, ...groups),
            make("p", { class: "dl-none", text: "While you drag an edge it snaps to frames, to the cursor, to where the curve crosses the threshold and to edges of the other lanes; hold Alt to place it freely." }));
        this.element.addEventListener("click", (event) => { if (event.target === this.element) this.element.close(); });
    }

    open() { if (!this.element.open) this.element.showModal(); }
}
