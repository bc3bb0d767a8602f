// Where a dragged edge comes to rest: on the nearest magnet that is close enough in pixels, else on a frame's border.

export const PULL_PX = 7;

// magnets: seconds; x(time): pixels; frames: FrameTimes. With `free`, the time stays as it is.
export function snap(time, { magnets, x, frames, free = false }) {
    if (free) return time;
    const at = x(time);
    let best = null,
        least = PULL_PX;
    for (const magnet of magnets) {
        const away = Math.abs(x(magnet) - at);
        if (away <= least) [best, least] = [magnet, away];
    }
    return best ?? frames.time(frames.edge(time));
}
