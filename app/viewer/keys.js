// Keys of the viewer, active only while it has the focus.

const ACTIONS = {
    " ": (clock) => clock.toggle(),
    k: (clock) => clock.toggle(),
    ",": (clock) => clock.step(-1),
    ".": (clock) => clock.step(1),
    ArrowLeft: (clock) => clock.seek(clock.time - 1),
    ArrowRight: (clock) => clock.seek(clock.time + 1),
    Home: (clock) => clock.seekFrame(0),
    End: (clock) => clock.seekFrame(clock.pts.length - 1),
};

export function bindKeys(root, currentClock) {
    root.addEventListener("keydown", (event) => {
        const clock = currentClock();
        const action = ACTIONS[event.key];
        const typing = event.target.matches("input, select, textarea") || (event.key === " " && event.target.matches("button"));
        if (!clock || !action || typing || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        action(clock);
    });
}
