// The inspector: original, reconstruction and error of the face at the cursor, and of the sound around it.

import { NOTHING, TOP, bytes } from "../core/unpack.js";
import { LOUDNESS, heatTable } from "../core/colours.js";
import { clockText, make } from "../core/dom.js";
import { VideoFollower } from "../time/video-follower.js";
import { heatLegend } from "../core/legend.js";
import { paintMap } from "../core/paint.js";
import { columns, stepAt } from "../time/sampling.js";

const AROUND_S = 1,
    COLUMNS = 200;
const NAMES = ["original", "reconstruction", "error"];

export class Inspector {
    constructor(payload, url, rate) {
        const { heat, sound, report } = payload;
        Object.assign(this, {
            heat,
            rate,
            steps: report.scores[0]?.values.length ?? 0,
            on: true,
            step: -1,
        });
        this.cells = heat && bytes(heat.cells);
        this.status = make("output", { class: "dl-quiet" });
        this.maps = sound ? soundMaps(sound) : [];
        this.element = make(
            "section",
            { class: "dl-inspector dl-of-model", "aria-label": "Inspector" },
            make(
                "div",
                { class: "dl-inspector-head" },
                make("h3", { text: "Inspector" }),
                this.status,
            ),
            make(
                "div",
                { class: "dl-inspector-parts" },
                url ? this.picture(url) : missing("The face was not kept for inspection."),
                sound ? this.sound(sound) : missing("There is no sound to inspect."),
            ),
            make("p", {
                class: "dl-quiet",
                text:
                    "Every patch is rebuilt from the patches around it while it is itself hidden. " +
                    "The network only learns what authentic faces and voices look like, so its rebuilding is coarse: what counts is how far " +
                    "the difference leaves what is usual for authentic clips, in either direction.",
            }),
        );
    }

    picture(url) {
        this.video = make("video", {
            src: url,
            muted: true,
            playsinline: true,
            preload: "auto",
            tabindex: "-1",
            "aria-label": "Face at the cursor: original, reconstruction, error",
        });
        this.video.muted = true;
        this.follower = new VideoFollower(this.video, this.rate, (step) => {
            this.video.dataset.step = String(step);
        });
        this.video.addEventListener("error", () =>
            this.video.replaceWith(
                make("p", {
                    class: "dl-quiet dl-lost",
                    role: "status",
                    text: "The pictures of the face are gone or can't be played. Analyse the clip again to see them.",
                }),
            ),
        );
        return figure("Face", this.heat && heatLegend(this.heat), this.video);
    }

    sound(sound) {
        for (const map of this.maps) {
            map.canvas = make("canvas", {
                role: "img",
                "aria-label": `Sound around the cursor, ${map.name}`,
            });
        }
        return figure(
            `Sound, ± ${AROUND_S} s`,
            heatLegend(sound),
            make(
                "div",
                { class: "dl-inspected-sound" },
                ...this.maps.map(({ canvas }) => make("div", {}, canvas)),
            ),
        );
    }

    // time: the middle of the source frame on display.
    show(time) {
        const step = stepAt(time, this.rate, this.steps);
        this.time = time;
        if (!this.on || step === this.step) return;
        this.step = step;
        this.follower?.show(step);
        for (const map of this.maps) {
            paintMap(
                map.canvas,
                map,
                columns(
                    time - AROUND_S,
                    time + AROUND_S,
                    COLUMNS,
                    map.rate,
                    map.values.length / map.rows,
                ),
            );
        }
        this.status.textContent = `step ${step} · ${clockText(step / this.rate)}${this.words(step)}`;
    }

    words(step) {
        if (!this.cells) return "";
        const { rows, cols, scale } = this.heat;
        const cells = this.cells.subarray(step * rows * cols, (step + 1) * rows * cols);
        if (cells[0] === NOTHING) return " · face not scored";
        const value = (Math.max(...cells) / TOP) * scale[3];
        return ` · hottest cell of the face ${value.toFixed(2)}, ${(value / scale[2]).toFixed(1)} × the authentic p99`;
    }

    set(on) {
        this.on = on;
        this.element.hidden = !on;
        this.step = -1;
        if (on && this.time !== undefined) this.show(this.time);
    }

    close() {
        this.follower?.close();
    }
}

function soundMaps(sound) {
    const { bins, rate, original, rebuilt } = sound.mel;
    const maps = [original, rebuilt].map((packed) => ({
        values: bytes(packed ?? ""),
        rows: bins,
        rate,
        table: LOUDNESS,
        upwards: true,
    }));
    maps.push({
        values: bytes(sound.heat),
        rows: sound.rows,
        rate: sound.rate,
        table: heatTable(sound.scale),
        upwards: true,
    });
    return maps.map((map, index) => ({ ...map, name: NAMES[index] }));
}

const figure = (title, legend, content) =>
    make(
        "figure",
        { class: "dl-inspected" },
        make("div", { class: "dl-inspected-head" }, make("b", { text: title }), legend),
        content,
        make("figcaption", {}, ...NAMES.map((text) => make("span", { text }))),
    );

const missing = (text) => make("p", { class: "dl-quiet dl-inspected", text });
