// Several clips that were chosen together: which of them can be sent, then one after another to the server.

import { make } from "../core/dom.js";
import { precheck, sizeText } from "./precheck.js";
import { send } from "./upload.js";

export const MOST = 48; // the server keeps that many results

// Which files are sent, and a sentence about each of the others. Pure.
export function sorted(files, limits) {
    const good = [],
        bad = [];
    for (const file of files) {
        const { stops } = precheck(file, { duration: null }, null, limits);
        const reason =
            good.length === MOST ? `At most ${MOST} clips are analysed together.` : stops[0];
        if (reason) bad.push({ file, reason });
        else good.push(file);
    }
    return { good, bad };
}

export class Several {
    // options as those of Drop; back(): others are to be chosen.
    constructor(panel, files, { uploadUrl, limits, sent }, back) {
        const { good, bad } = sorted(files, limits);
        const button = (text, name, onclick) =>
            make("button", { type: "button", class: `dl-button ${name}`, text, onclick });
        this.go = button(
            `Analyse ${good.length === 1 ? "1 clip" : `${good.length} clips`}`,
            "dl-primary",
            () => this.start(good, uploadUrl, sent),
        );
        this.go.disabled = !good.length;
        this.said = make("span", { role: "status" });
        this.bar = make("progress", { max: 1, value: 0, "aria-label": "Upload" });
        this.sending = make(
            "div",
            { class: "dl-sending", hidden: true },
            this.said,
            this.bar,
            button("Cancel", "dl-slim", () => this.upload?.abort()),
        );
        this.actions = make(
            "div",
            { class: "dl-chosen-actions" },
            this.go,
            button("Choose others", "", back),
        );
        const row = (text, name = "") => make("li", { class: name, text });
        panel.append(
            make(
                "div",
                { class: "dl-several" },
                make("h2", { text: `${files.length} clips` }),
                make(
                    "ul",
                    { class: "dl-notes" },
                    ...good.map((file) => row(`${file.name} · ${sizeText(file.size)}`)),
                    ...bad.map(({ file, reason }) => row(`${file.name}: ${reason}`, "dl-stop")),
                ),
                this.actions,
                this.sending,
            ),
        );
    }

    async start(files, url, sent) {
        this.upload = new AbortController();
        this.sending.hidden = false;
        this.actions.hidden = true;
        try {
            const paths = [];
            for (const [index, file] of files.entries()) {
                this.said.textContent = `Sending ${index + 1} of ${files.length} …`;
                paths.push(
                    await send(
                        file,
                        url,
                        (share) => {
                            this.bar.value = (index + share) / files.length;
                        },
                        this.upload.signal,
                    ),
                );
            }
            sent({ kind: "batch", path: paths[0], paths });
        } catch (error) {
            this.said.textContent = "";
            this.actions.after(
                make("p", {
                    class: "dl-stop",
                    role: "alert",
                    text:
                        error.name === "AbortError" ? "Stopped. Nothing was kept." : error.message,
                }),
            );
        } finally {
            this.sending.hidden = true;
            this.actions.hidden = false;
        }
    }
}
