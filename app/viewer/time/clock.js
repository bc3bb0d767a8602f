// The one clock: which source frame the video shows, and seeks that land on the frame asked for.

import { nearest } from "./frame-times.js";

export class Clock {
    // pts: when each source frame is shown, in seconds, sorted; never empty.
    constructor(video, pts, duration) {
        this.video = video;
        this.pts = pts;
        this.duration = duration;
        this.frame = 0;
        this.exact = "requestVideoFrameCallback" in video;
        this.listeners = new Set();
        this.abort = new AbortController();
        this.wanted = null;
        if (this.exact) this.listen();
        else video.addEventListener("play", () => this.follow(), { signal: this.abort.signal });
        for (const name of ["timeupdate", "pause", "seeking", "seeked", "loadeddata"]) {
            video.addEventListener(name, () => this.fallback(), { signal: this.abort.signal });
        }
    }

    get time() {
        return this.pts[this.frame];
    }

    onTick(listener) {
        this.listeners.add(listener);
    }

    close() {
        this.abort.abort();
        this.listeners.clear();
    }

    listen() {
        if (this.abort.signal.aborted) return;
        this.video.requestVideoFrameCallback((_, { mediaTime }) => {
            const late = this.wanted !== null && this.video.seeking; // a frame from before the seek
            if (!late) {
                this.show(nearest(this.pts, mediaTime));
                this.verify();
            }
            this.listen();
        });
    }

    // Without frame callbacks a playing video is asked once a picture of the display.
    follow() {
        if (this.abort.signal.aborted || this.video.paused) return;
        this.show(this.frameAt(this.video.currentTime));
        requestAnimationFrame(() => this.follow());
    }

    // Without frame callbacks, and while a seek is under way, currentTime is the best there is.
    fallback() {
        if (this.exact && (!this.video.paused || this.wanted !== null)) return;
        this.show(this.frameAt(this.video.currentTime));
    }

    show(frame) {
        this.frame = frame;
        for (const listener of this.listeners) listener(this.pts[frame], frame);
    }

    // The frame on display at a time: the last one that began by then.
    frameAt(time) {
        const near = nearest(this.pts, time);
        return this.pts[near] > time + 1e-4 && near > 0 ? near - 1 : near;
    }

    middle(frame) {
        const end = this.pts[frame + 1] ?? Math.max(this.duration, this.pts[frame] + 0.002);
        return (this.pts[frame] + end) / 2;
    }

    seek(time) {
        this.seekFrame(this.frameAt(Math.min(Math.max(time, 0), this.duration)));
    }

    seekFrame(frame) {
        const target = Math.min(Math.max(frame, 0), this.pts.length - 1);
        this.wanted = target;
        this.video.currentTime = this.middle(target);
        this.show(target);
    }

    step(frames) {
        this.video.pause();
        this.seekFrame((this.wanted ?? this.frame) + frames);
    }

    // Browsers may land beside the frame: look once, and correct once.
    verify() {
        const { wanted } = this;
        this.wanted = null;
        if (wanted === null || !this.video.paused || this.video.seeking) return;
        if (this.frame !== wanted) this.video.currentTime = this.middle(wanted);
    }

    toggle() {
        if (this.video.paused) this.video.play().catch(() => {});
        else this.video.pause();
    }
}
