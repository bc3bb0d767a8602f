// An annotation as a file, in and out. The server reads and writes every format; DeepLoc JSON needs none.

import { FORMAT, toJson } from "./annotation.js";
import { make, saveFile } from "../core/dom.js";
import { menu } from "../core/menu.js";
import { bytes } from "../core/unpack.js";

const OWN = ["json", "DeepLoc JSON"];

export class AnnotationFiles {
    // server: {export_annotation(json, format), import_annotation(file, media, truthOnly)}, or null.
    // formats: [[key, label]] of those that it writes; accepted: the suffixes of those that it reads.
    constructor(state, server, formats, accepted) {
        Object.assign(this, { state, server, formats: formats?.length ? formats : [OWN] });
        this.file = make("input", {
            type: "file",
            hidden: true,
            accept: (server && accepted?.length ? accepted : [".json"]).join(),
            "aria-label": "Annotation file",
            onchange: () => this.read(),
        });
        this.exports = menu(
            "Export",
            "Export your edit (lane E)",
            this.formats.map(([key, label]) => [label, () => this.write(key)]),
        );
        this.imports = menu("Import", "Import an annotation file", [
            ["as your edit (lane E)…", () => this.ask("E")],
            ...(state.fileTruth ? [] : [["as ground truth (lane G)…", () => this.ask("G")]]),
        ]);
        this.element = make(
            "span",
            { class: "dl-annotation-files" },
            this.imports,
            this.exports,
            this.file,
        );
    }

    ask(lane) {
        this.wanted = lane;
        this.file.value = "";
        this.file.click();
    }

    async write(format = OWN[0]) {
        const { state, server } = this;
        const json = toJson(state.doc, state.about());
        try {
            if (format === OWN[0])
                return saveFile(
                    `${stem(json.media.name)}.annotation.json`,
                    new Blob([JSON.stringify(json, null, 1)], { type: "application/json" }),
                );
            const answer = await server.export_annotation(json, format);
            if (answer.error) return state.say(answer.error);
            saveFile(answer.name, new Blob([bytes(answer.base64)], { type: answer.type }));
            state.say(`Saved ${answer.name}.`);
        } catch {
            state.say(
                "The file could not be written. Try again, or export DeepLoc JSON, which needs no server.",
            );
        }
    }

    async read() {
        const { state, server } = this;
        const [file] = this.file.files;
        if (!file) return;
        try {
            const json = server
                ? await server.import_annotation(
                      { name: file.name, base64: await base64(file) },
                      { ...state.about().media, pts: state.frames.edges.slice(0, -1) },
                      this.wanted === "G",
                  )
                : await deeplocJson(file);
            if (!json || json.error)
                return state.say(
                    json?.error ??
                        `${file.name} is no DeepLoc JSON, and other formats need the server.`,
                );
            state.take(json, this.wanted);
        } catch {
            state.say(`${file.name} could not be read as an annotation.`);
        }
    }
}

const stem = (name) => name.replace(/\.[^.]+$/, "");

async function base64(file) {
    return new Promise((resolve, reject) => {
        const reader = new FileReader();
        reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
        reader.onerror = reject;
        reader.readAsDataURL(file);
    });
}

// The content of a DeepLoc JSON, null for any other file.
async function deeplocJson(file) {
    try {
        const json = JSON.parse(await file.text());
        return json?.format === FORMAT ? json : null;
    } catch {
        return null;
    }
}
