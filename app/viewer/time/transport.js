// Buttons under the video: play, step, speed, sound, heat.

import { clockText, make } from "../core/dom.js";
import { SPEEDS } from "./playback.js";

export function transport(clock, heat) {
    const { video } = clock;
    const play = make("button", {
        type: "button",
        class: "dl-play",
        "aria-label": "Play",
        text: "▶",
        onclick: () => clock.toggle(),
    });
    const refresh = () => {
        play.textContent = video.paused ? "▶" : "❚❚";
        play.setAttribute("aria-label", video.paused ? "Play" : "Pause");
    };
    for (const name of ["play", "pause", "ended"]) video.addEventListener(name, refresh);
    const readout = make("output", {
        class: "dl-readout",
        "aria-live": "off",
        title: clock.exact
            ? null
            : "This browser does not say which frame it shows: it may be the one before or after",
    });
    clock.onTick((time, frame) => {
        readout.textContent = `${clockText(time)} / ${clockText(clock.duration)} · frame ${frame}${clock.exact ? "" : " (±1 frame)"}`;
    });
    const speed = make(
        "select",
        {
            "aria-label": "Speed",
            onchange: () => {
                video.playbackRate = Number(speed.value);
            },
        },
        ...SPEEDS.map((rate) =>
            make("option", { value: rate, text: `${rate}×`, selected: rate === 1 }),
        ),
    );
    video.addEventListener("ratechange", () => {
        speed.value = String(video.playbackRate);
    });
    const mute = make("button", {
        type: "button",
        text: "Sound on",
        "aria-pressed": "false",
        onclick: () => {
            video.muted = !video.muted;
            mute.textContent = video.muted ? "Sound off" : "Sound on";
            mute.setAttribute("aria-pressed", String(video.muted));
        },
    });
    const bar = make(
        "div",
        { class: "dl-transport" },
        make("button", {
            type: "button",
            "aria-label": "One frame back",
            title: "One frame back ( , )",
            text: "‹",
            onclick: () => clock.step(-1),
        }),
        play,
        make("button", {
            type: "button",
            "aria-label": "One frame on",
            title: "One frame on ( . )",
            text: "›",
            onclick: () => clock.step(1),
        }),
        readout,
        speed,
        mute,
    );
    return make("div", {}, bar, heat ? heatBar(clock, heat) : null);
}

function heatBar(clock, heat) {
    const toggle = make("input", {
        type: "checkbox",
        checked: true,
        onchange: () => heat.set({ on: toggle.checked }, clock.time),
    });
    const opacity = make("input", {
        type: "range",
        min: 0.1,
        max: 1,
        step: 0.05,
        value: heat.opacity,
        "aria-label": "Opacity of the heat",
        oninput: () => heat.set({ opacity: Number(opacity.value) }, clock.time),
    });
    return make(
        "div",
        { class: "dl-heatbar" },
        make("label", {}, toggle, "Face error heat"),
        opacity,
        heat.legend(),
    );
}
