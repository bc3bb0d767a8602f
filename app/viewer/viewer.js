// Puts the viewer together: one clock and one time scale, given to every part.

import { toJson } from "./edit/annotation.js";
import { Chart, loadPlotly } from "./curves/chart.js";
import { Clock } from "./time/clock.js";
import { make } from "./core/dom.js";
import { buildEdit } from "./edit/edit.js";
import { buildEvidence } from "./evidence/evidence.js";
import { HeatOverlay } from "./evidence/heat-overlay.js";
import { bindKeys } from "./keys/keys.js";
import { Announcer } from "./core/announcer.js";
import { gestures } from "./time/gestures.js";
import { Overview } from "./time/overview.js";
import { linkButton, reportMenu } from "./report/downloads.js";
import { TimeScale } from "./time/time-scale.js";
import { ChartArea } from "./curves/chart-area.js";
import { transport } from "./time/transport.js";
import { notScored } from "./report/not-scored.js";
import { verdictStrip } from "./report/verdict.js";

// The others build upon the first one.
const SHEETS = [
    "viewer.css",
    "report/verdict.css",
    "report/not-scored.css",
    "time/time.css",
    "evidence/evidence.css",
    "curves/curves.css",
    "edit/lanes.css",
    "edit/edit.css",
    "edit/interval-table.css",
    "compare/compare.css",
    "keys/help.css",
];

// server: the functions of the page's component that write and read files, where it has any;
// formats, downloads: the [key, label] of those that it writes of an annotation and of the report;
// accepted: the suffixes of the annotations that it reads. chooseFace(number): scores another face of the clip.
export function mount(root, { plotly, fileUrl, ...options }) {
    const ready = Promise.all(
        SHEETS.map(
            (name) =>
                new Promise((resolve) => {
                    document.head.append(
                        make("link", {
                            rel: "stylesheet",
                            href: new URL(name, import.meta.url).href,
                            onload: resolve,
                            onerror: resolve,
                        }),
                    );
                }),
        ),
    );
    let shown = null,
        latest = 0;
    root.tabIndex = -1; // a click anywhere in the viewer gives it the keys
    bindKeys(root, () => shown);
    const draw = eachFrame(() => {
        shown?.chart.draw();
        shown?.lanes.draw();
        shown?.overview.draw();
    });
    new ResizeObserver(() => shown?.scale.resize(shown.chartArea.element.clientWidth)).observe(
        root,
    );
    new MutationObserver(draw).observe(document.body, {
        attributes: true,
        attributeFilter: ["class"],
    });

    async function show(payload) {
        const own = ++latest;
        const drawn = payload ? await Promise.all([loadPlotly(plotly), ready]) : null;
        if (own !== latest) return null;
        shown?.clock.video.pause();
        shown?.clock.close();
        shown?.evidence.close();
        shown?.live.close();
        shown = null;
        root.replaceChildren();
        if (!payload) return null;
        shown = build(root, payload, drawn[0], fileUrl(payload.video), {
            ...options,
            fileUrl,
            inspectionUrl: payload.inspection && fileUrl(payload.inspection),
        });
        shown.scale.onChange(draw);
        shown.scale.resize(shown.chartArea.element.clientWidth);
        draw();
        shown.clock.show(0);
        if (document.activeElement === document.body) root.focus({ preventScroll: true }); // what was focused is gone
        return shown;
    }
    root.annotation = () => shown && toJson(shown.state.doc, shown.state.about());
    return { show };
}

function build(root, payload, plotly, url, options) {
    const { media, scores } = payload.report;
    const video = make("video", {
        src: url,
        playsinline: true,
        preload: "auto",
        "aria-label": media.name,
    });
    const rate = scores[0]?.rate_hz ?? 25;
    const clock = new Clock(
        video,
        payload.pts.length ? payload.pts : evenly(media),
        media.duration_s,
    );
    const scale = new TimeScale(media.duration_s);
    const heat = payload.heat && new HeatOverlay(payload.heat, media, rate);
    const chart = new Chart(plotly, payload, scale);
    const evidence = buildEvidence(payload, chart, rate, options);
    const edit = buildEdit(root, payload, clock, scale, chart, options);
    const chartArea = new ChartArea(clock, scale, chart, edit.lanes, edit.state);
    const overview = new Overview(payload, scale, clock, edit.state);
    gestures(chartArea.element, scale);
    const live = new Announcer(() => (edit.state.blind ? [] : edit.state.predicted));
    clock.onTick((time, frame) => {
        live.tick(time);
        if (!video.paused) scale.follow(time);
        overview.move(time);
        const middle = clock.middle(frame);
        chartArea.move(time);
        heat?.draw(middle);
        chart.read(middle);
        evidence.show(middle);
    });
    video.addEventListener("click", () => clock.toggle());
    const failed = make("p", {
        class: "dl-unplayable",
        role: "status",
        hidden: true,
        text: "This browser can't play the clip. The curves and intervals below still hold.",
    });
    video.addEventListener("error", () => {
        failed.hidden = false;
    });
    const stage = make(
        "div",
        { class: "dl-stage", style: `--ratio:${media.width / media.height}` },
        video,
        heat ? heat.element : null,
        evidence.faces?.overlay ?? null,
        failed,
    );
    const verdict = verdictStrip(payload);
    const say = (text) => edit.state.say(text);
    verdict
        .querySelector(".dl-model")
        .append(reportMenu(payload, options, say) ?? "", linkButton(payload, say) ?? "");
    root.append(
        verdict,
        live.element,
        make(
            "div",
            { class: "dl-top" },
            make(
                "section",
                { class: "dl-video", "aria-label": "Video" },
                make("div", { class: "dl-screen" }, stage),
                transport(clock, heat),
                evidence.faces?.list ?? null,
            ),
            make("div", { class: "dl-side" }, edit.editor.element, edit.comparison.element),
        ),
        evidence.inspector.element,
        make(
            "section",
            { class: "dl-curves", "aria-label": "Curves and lanes" },
            evidence.toggles,
            overview.element,
            chartArea.element,
            edit.tools,
            hint(),
        ),
        notScored(payload, edit.state) ?? "",
        edit.table.element,
    );
    return { ...edit, chart, chartArea, evidence, live, overview };
}

// However often it is called, it acts once a picture of the display.
function eachFrame(action) {
    let asked = 0;
    return () => {
        asked ||= requestAnimationFrame(() => {
            asked = 0;
            action();
        });
    };
}

function hint() {
    const key = (text) => make("kbd", { text });
    return make(
        "p",
        { class: "dl-hint" },
        "Click to go there, drag to zoom, double click for the whole clip; Ctrl and wheel, or two fingers, zoom too. Keys: ",
        key("Space"),
        " play, ",
        key("←"),
        key("→"),
        " one second, ",
        key(","),
        key("."),
        " one frame, ",
        key("?"),
        " all keys.",
    );
}

function evenly({ fps, duration_s: duration }) {
    return Array.from(
        { length: Math.max(1, Math.round(duration * fps)) },
        (_, frame) => frame / fps,
    );
}
