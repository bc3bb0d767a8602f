// Playing stays inside the selected interval, once or in a loop; and how fast it goes.

export const SPEEDS = [0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4];

export class Playback {
    constructor(state, clock) {
        Object.assign(this, { state, clock, inside: false });
        clock.video.addEventListener("play", () => this.enter());
        clock.video.addEventListener("pause", () => {
            this.inside = false;
        });
        clock.video.addEventListener("ended", () => {
            if (this.span && this.state.loop) this.again();
        });
        clock.onTick((_, frame) => this.bound(frame));
    }

    // The frames of the selected interval, or null: then nothing is locked.
    get span() {
        const { selected, frames } = this.state;
        if (!selected) return null;
        const first = Math.min(frames.edge(selected.start), frames.count - 1);
        return { first, last: Math.max(frames.edge(selected.end) - 1, first) };
    }

    // Frames may come before the event does: until then nothing is out of bounds.
    enter() {
        const { span, clock } = this;
        this.inside = true;
        if (span && (clock.frame < span.first || clock.frame >= span.last))
            clock.seekFrame(span.first);
    }

    bound(frame) {
        const { span, clock } = this;
        if (
            !span ||
            !this.inside ||
            clock.video.paused ||
            clock.video.seeking ||
            frame <= span.last
        )
            return;
        if (this.state.loop) return clock.seekFrame(span.first);
        this.inside = false;
        clock.video.pause();
        clock.seekFrame(span.last);
    }

    again() {
        this.clock.seekFrame(this.span.first);
        this.clock.video.play().catch(() => {});
    }

    toggleLoop() {
        const { state, clock } = this;
        state.loop = !state.loop;
        if (state.loop && state.selected && clock.video.paused) clock.toggle();
        state.say(state.loop ? "Loop on." : "Loop off.");
        state.changed();
    }

    faster(steps) {
        const { video } = this.clock;
        const at = SPEEDS.findIndex((speed) => speed >= video.playbackRate - 1e-6);
        video.playbackRate =
            SPEEDS[
                Math.min(Math.max((at < 0 ? SPEEDS.length - 1 : at) + steps, 0), SPEEDS.length - 1)
            ];
        this.state.say(`Speed ${video.playbackRate}×.`);
    }
}
