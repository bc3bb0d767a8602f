// Several clips that were chosen together: checks each of them, then sends one after another.

import { make } from "../core/dom.js";
import { precheck, sizeText } from "./precheck.js";
import { sendFile } from "./send-file.js";

export const MAX_CLIPS = 48; // as MAX_BATCH in app/jobs.py

// Which files are sent, and a sentence about each of the others. Pure.
export function sortFiles(files, limits) {
    const good = [],
        bad = [];
    for (const file of files) {
        const { stops } = precheck(file, { duration: null }, null, limits);
        const reason =
            good.length === MAX_CLIPS
                ? `At most ${MAX_CLIPS} clips are analysed together.`
                : stops[0];
        if (reason) bad.push({ file, reason });
        else good.push(file);
    }
    return { good, bad };
}

export class BatchUpload {
    // options: those of ClipUpload; back(): the visitor wants to choose others.
    constructor(panel, files, { uploadUrl, limits, sent }, back) {
        const { good, bad } = sortFiles(files, limits);
        const button = (text, name, onclick) =>
            make("button", { type: "button", class: `dl-button ${name}`, text, onclick });
        this.go = button(
            `Analyse ${good.length === 1 ? "1 clip" : `${good.length} clips`}`,
            "dl-primary",
            () => this.start(good, uploadUrl, sent),
        );
        this.go.disabled = !good.length;
        this.status = make("span", { role: "status" });
        this.bar = make("progress", { max: 1, value: 0, "aria-label": "Upload" });
        this.sending = make(
            "div",
            { class: "dl-sending", hidden: true },
            this.status,
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
                this.status.textContent = `Sending ${index + 1} of ${files.length} …`;
                paths.push(
                    await sendFile(
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
            this.status.textContent = "";
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
