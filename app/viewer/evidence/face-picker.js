// The face-track picker: boxes of all faces over the video, with their numbers, and a button for each.

import { NO_BOX, shorts } from "../core/unpack.js";
import { make } from "../core/dom.js";
import { boxAt } from "../time/sampling.js";

export class FacePicker {
    // choose(number): scores that face.
    constructor({ tracks, heat, report }, choose) {
        this.media = report.media;
        this.tracks = tracks.map((track) => ({ ...track, boxes: shorts(track.boxes) }));
        const scored = heat?.face;
        this.boxes = this.tracks.map(({ number }) =>
            make(
                "button",
                {
                    type: "button",
                    class: "dl-face",
                    hidden: true,
                    tabindex: "-1",
                    "aria-hidden": "true",
                    "data-face": number,
                    "data-scored": number === scored,
                    title: number === scored ? `Face ${number} is scored` : `Score face ${number}`,
                    onclick: () => choose(number),
                },
                make("b", { text: number }),
            ),
        );
        this.overlay = make("div", { class: "dl-face-boxes" }, ...this.boxes);
        const label = ({ number, presence, height }) =>
            `Face ${number} · ${Math.round(presence * 100)} % of the clip, ${height} px high`;
        this.list = make(
            "div",
            { class: "dl-face-list", role: "group", "aria-label": "Which face is scored" },
            ...this.tracks.map((track) =>
                make("button", {
                    type: "button",
                    class: "dl-small",
                    "aria-pressed": String(track.number === scored),
                    "aria-label": `${track.number === scored ? "Scored: " : "Score "}${label(track)}`,
                    text: label(track),
                    onclick: () => {
                        if (track.number !== scored) choose(track.number);
                    },
                }),
            ),
        );
    }

    draw(time) {
        const { width, height } = this.media;
        this.tracks.forEach((track, index) => {
            const box = boxAt(track, time, NO_BOX);
            const { style } = this.boxes[index];
            this.boxes[index].hidden = !box;
            if (!box) return;
            const [left, top, right, bottom] = box;
            Object.assign(style, {
                left: `${(left / width) * 100}%`,
                top: `${(top / height) * 100}%`,
                width: `${((right - left) / width) * 100}%`,
                height: `${((bottom - top) / height) * 100}%`,
            });
        });
    }
}
