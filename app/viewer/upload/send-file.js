// A file to the server, with the share that has arrived; aborted through `signal`.

export function sendFile(file, url, progress, signal) {
    return new Promise((resolve, reject) => {
        const request = new XMLHttpRequest();
        const form = new FormData();
        form.append("files", file, file.name);
        request.upload.addEventListener("progress", ({ loaded, total }) =>
            progress(total ? loaded / total : 0),
        );
        request.addEventListener("load", () => {
            if (request.status === 200) resolve(JSON.parse(request.responseText)[0]);
            else
                reject(
                    new Error(
                        request.status === 413
                            ? "The file is larger than this page takes. Make it smaller first."
                            : "The file could not be sent. Try again.",
                    ),
                );
        });
        request.addEventListener("error", () =>
            reject(new Error("The connection broke. Try again.")),
        );
        request.addEventListener("abort", () => reject(new DOMException("", "AbortError")));
        signal.addEventListener("abort", () => request.abort());
        request.open("POST", url);
        request.send(form);
    });
}
