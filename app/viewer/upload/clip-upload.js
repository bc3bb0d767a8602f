// Where a clip is chosen: a look at it in this browser before anything is sent, a range, then the upload.

import { make } from "../core/dom.js";
import { lengthText, precheck, rangeOf, sizeText } from "./precheck.js";
import { BatchUpload } from "./batch-upload.js";
import { sendFile } from "./send-file.js";

const button = (text, onclick, name = "") =>
    make("button", { type: "button", class: `dl-button ${name}`, text, onclick });

const lastChosen = { turn: null, file: null }; // survives while the page shows something else

export class ClipUpload {
    // options: {turn, uploadUrl, limits: {bytes, seconds}, accept, label, sent(data)}; sent() receives what is to be done with which file.
    // A clip that was chosen before in the same turn is still chosen.
    constructor(root, options) {
        Object.assign(this, { root, options, file: null, seen: null });
        this.input = make("input", {
            type: "file",
            class: "dl-drop-input",
            accept: options.accept,
            id: "dl-drop-file",
            "aria-label": options.label,
            multiple: true,
            onchange: () => this.choose([...this.input.files]),
        });
        this.zone = make(
            "label",
            { class: "dl-drop-zone", for: "dl-drop-file" },
            make("span", { class: "dl-drop-mark", "aria-hidden": "true", text: "↑" }),
            make("span", { text: options.label }),
        );
        this.panel = make("section", {
            class: "dl-chosen-clip",
            hidden: true,
            "aria-label": "Chosen clip",
        });
        root.append(this.input, this.zone, this.panel);
        this.zone.addEventListener("dragover", (event) => {
            event.preventDefault();
            this.zone.classList.add("dl-over");
        });
        for (const name of ["dragleave", "drop"])
            this.zone.addEventListener(name, () => this.zone.classList.remove("dl-over"));
        this.zone.addEventListener("drop", (event) => {
            event.preventDefault();
            this.choose([...event.dataTransfer.files]);
        });
        if (lastChosen.file && lastChosen.turn === options.turn) this.open(lastChosen.file);
    }

    reset() {
        this.upload?.abort();
        if (this.url) URL.revokeObjectURL(this.url);
        Object.assign(this, { file: null, url: null, upload: null });
        lastChosen.file = null;
        this.input.value = "";
        this.panel.replaceChildren();
        this.panel.hidden = true;
        this.zone.hidden = this.input.hidden = false;
    }

    // Another turn: whatever was chosen is forgotten.
    restart(turn) {
        this.options.turn = turn;
        this.reset();
    }

    choose(files) {
        if (!files.length) return;
        if (files.length > 1) this.openBatch(files);
        else this.open(files[0]);
        this.go.focus();
    }

    openBatch(files) {
        this.reset();
        const batch = new BatchUpload(this.panel, files, this.options, () => {
            this.reset();
            this.input.click();
        });
        this.upload = { abort: () => batch.upload?.abort() };
        this.go = batch.go;
        this.panel.hidden = false;
        this.zone.hidden = this.input.hidden = true;
    }

    open(file) {
        this.reset();
        Object.assign(lastChosen, { turn: this.options.turn, file });
        this.file = file;
        this.url = URL.createObjectURL(file);
        this.seen = undefined; // not known yet
        this.build();
        this.draw();
    }

    build() {
        this.preview = make("video", {
            src: this.url,
            controls: true,
            muted: true,
            playsinline: true,
            preload: "metadata",
            "aria-label": "Preview of the chosen clip",
        });
        this.preview.addEventListener("loadedmetadata", () => {
            const { duration, videoWidth: width, videoHeight: height } = this.preview;
            this.seen = width && Number.isFinite(duration) ? { duration, width, height } : null;
            this.draw();
        });
        this.preview.addEventListener("error", () => {
            this.seen = null;
            this.draw();
        });
        this.facts = make("p", { class: "dl-facts" });
        this.notes = make("ul", { class: "dl-notes", role: "status" });
        const edge = (text, name) => {
            const input = make("input", {
                type: "number",
                min: 0,
                step: 0.1,
                inputmode: "decimal",
                oninput: () => this.draw(),
            });
            this[name] = input;
            return make(
                "span",
                { class: "dl-range-edge" },
                make("label", {}, text, input, " s"),
                button(
                    "at the preview",
                    () => {
                        input.value = this.preview.currentTime.toFixed(1);
                        this.draw();
                    },
                    "dl-slim",
                ),
            );
        };
        this.range = make(
            "details",
            { class: "dl-range" },
            make("summary", { text: "Analyse only a range" }),
            make("div", {}, edge("From ", "from"), edge("To ", "to")),
        );
        this.go = button("Analyse", () => this.start("analyse"), "dl-primary");
        this.bar = make("progress", { max: 1, value: 0, "aria-label": "Upload" });
        this.percent = make("span", { text: "0 %" });
        this.sending = make(
            "div",
            { class: "dl-sending", hidden: true },
            make("span", { role: "status", text: "Sending the clip …" }),
            this.bar,
            this.percent,
            button("Cancel", () => this.upload?.abort(), "dl-slim"),
        );
        this.report = make("input", {
            type: "file",
            accept: ".json,.npz",
            hidden: true,
            "aria-label": "Saved report",
            onchange: () => this.start("report", this.report.files[0]),
        });
        this.actions = make(
            "div",
            { class: "dl-chosen-actions" },
            this.go,
            button("Only look and label", () => this.start("label")),
            button("Open its saved report …", () => this.report.click()),
            button("Choose another", () => {
                this.reset();
                this.input.click();
            }),
            this.report,
        );
        this.panel.append(
            this.preview,
            make(
                "div",
                {},
                make("h2", { text: this.file.name }),
                this.facts,
                this.notes,
                this.range,
                this.actions,
                this.sending,
            ),
        );
        this.panel.hidden = false;
        this.zone.hidden = this.input.hidden = true;
    }

    get part() {
        return rangeOf(this.from.value, this.to.value, this.seen?.duration ?? null);
    }

    draw() {
        const { file, seen } = this;
        const { stops, notes } = precheck(
            file,
            seen === undefined ? { duration: null } : seen,
            this.part,
            this.options.limits,
        );
        this.facts.textContent = [
            sizeText(file.size),
            seen && lengthText(seen.duration),
            seen && `${seen.width} × ${seen.height}`,
        ]
            .filter(Boolean)
            .join(" · ");
        this.preview.hidden = seen === null;
        this.notes.replaceChildren(
            ...stops.map((text) => make("li", { class: "dl-stop", text })),
            ...notes.map((text) => make("li", { text })),
        );
        this.go.disabled = stops.length > 0;
        if (stops.some((text) => text.includes("range"))) this.range.open = true;
    }

    // kind: "analyse", "label" (the viewer without a model) or "report" (one that was saved before).
    async start(kind, report = null) {
        if (kind === "report" && !report) return;
        this.upload = new AbortController();
        const { signal } = this.upload;
        const part = kind === "analyse" ? this.part : null;
        this.sending.hidden = false;
        this.actions.hidden = true;
        try {
            const path = await sendFile(
                this.file,
                this.options.uploadUrl,
                (share) => this.share(share),
                signal,
            );
            const beside =
                report && (await sendFile(report, this.options.uploadUrl, () => {}, signal));
            this.options.sent({
                kind,
                path,
                report: beside,
                start: part?.start ?? null,
                end: part?.end ?? null,
            });
        } catch (error) {
            this.notes.replaceChildren(
                make("li", {
                    class: "dl-stop",
                    text:
                        error.name === "AbortError"
                            ? "Stopped. Nothing was lastChosen."
                            : error.message,
                }),
            );
        } finally {
            this.sending.hidden = true;
            this.actions.hidden = false;
            this.share(0);
        }
    }

    share(share) {
        this.bar.value = share;
        this.percent.textContent = `${Math.round(share * 100)} %`;
    }
}
