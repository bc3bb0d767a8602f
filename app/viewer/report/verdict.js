// The verdict strip: words that the server chose, and how much evidence they mean.

import { make } from "../core/dom.js";

export function verdictStrip({ headline, report }) {
    const meter = make(
        "div",
        { class: "dl-meter", "aria-hidden": "true" },
        ...[1, 2, 3].map((level) => make("i", { class: level <= headline.level ? "on" : "" })),
    );
    const facts = headline.facts.map(({ label, value }) =>
        make("div", {}, make("dt", { text: label }), make("dd", { text: value })),
    );
    return make(
        "section",
        { class: "dl-verdict", "aria-label": "Verdict" },
        make(
            "div",
            { class: "dl-band" },
            meter,
            make(
                "div",
                {},
                make("h2", { text: headline.band }),
                make("p", { text: `${headline.rate} ${headline.note}` }),
            ),
        ),
        headline.trust?.length
            ? make(
                  "ul",
                  { class: "dl-trust", "aria-label": "How far to trust this" },
                  ...headline.trust.map((text) => make("li", { text })),
              )
            : null,
        make("dl", {}, ...facts),
        headline.warnings.length
            ? make(
                  "ul",
                  { class: "dl-warnings" },
                  ...headline.warnings.map((text) => make("li", { text })),
              )
            : null,
        make(
            "p",
            { class: "dl-model" },
            make("span", { text: report.media.name }),
            make("span", { text: headline.model }),
        ),
    );
}
