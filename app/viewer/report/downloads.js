// The report as a file, in a format that the server writes, and as a link.

import { make, saveFile } from "../core/dom.js";
import { menu } from "../core/menu.js";

// downloads: [[key, label]]; server.save_report(ticket, key) -> {name, path} or {error}.
export function reportMenu(payload, { server, downloads, fileUrl }, say) {
    if (!server?.save_report || !downloads?.length || !payload.ticket) return null;
    return menu(
        "Save report",
        "Save the report",
        downloads.map(([key, label]) => [
            label,
            async () => {
                say("Writing the file …");
                try {
                    const { error, name, path } = await server.save_report(payload.ticket, key);
                    if (error) return say(error);
                    const answer = await fetch(fileUrl(path));
                    if (!answer.ok) throw new Error(answer.statusText);
                    saveFile(name, await answer.blob());
                    return say(`Saved ${name}.`);
                } catch {
                    return say("The file could not be written. Try again.");
                }
            },
        ]),
    );
}

// Copies a link that opens this page with this result, for as long as the server keeps it.
export function linkButton({ ticket }, say) {
    if (!ticket) return null;
    const link = `${location.origin}${location.pathname}?result=${ticket}`;
    return make("button", {
        type: "button",
        class: "dl-small",
        text: "Copy link",
        title: "Whoever has this link sees clip and result, for an hour at most",
        onclick: async () => {
            try {
                await navigator.clipboard.writeText(link);
                say(
                    "The link was copied. Whoever has it sees clip and result, for an hour at most.",
                );
            } catch {
                say(`The link, for an hour at most: ${link}`);
            }
        },
    });
}
