// A second video that shows what belongs to the one clock: it seeks to the middle of a step, one seek at a
// time, the latest wish wins, and looks whether it landed.

export class VideoFollower {
    // landed(step): called with the step whose frame is on display.
    constructor(video, rate, landed) {
        Object.assign(this, { video, rate, landed, wanted: 0, asked: null, again: false });
        this.abort = new AbortController();
        const on = (name, listener) =>
            video.addEventListener(name, listener, { signal: this.abort.signal });
        on("loadedmetadata", () => this.seek());
        on("seeked", () => {
            if (this.asked !== this.wanted) this.seek();
            else if (!this.exact) this.landed(this.asked);
        });
        this.exact = "requestVideoFrameCallback" in video;
        if (this.exact) this.listen();
    }

    close() {
        this.abort.abort();
    }

    show(step) {
        this.wanted = step;
        this.seek();
    }

    seek() {
        const { video, wanted } = this;
        if (video.readyState < 1 || video.seeking || this.asked === wanted) return;
        Object.assign(this, { asked: wanted, again: true });
        video.currentTime = this.middle(wanted);
    }

    middle(step) {
        return (step + 0.5) / this.rate;
    }

    listen() {
        if (this.abort.signal.aborted) return;
        this.video.requestVideoFrameCallback((_, { mediaTime }) => {
            const step = Math.round(mediaTime * this.rate);
            this.landed(step);
            if (
                step !== this.asked &&
                this.asked === this.wanted &&
                this.again &&
                !this.video.seeking
            ) {
                this.again = false;
                this.video.currentTime = this.middle(this.wanted);
            }
            this.listen();
        });
    }
}
