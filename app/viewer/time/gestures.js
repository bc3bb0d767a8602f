// Zoom and pan over the curves: Ctrl and wheel (a pinch on a touch pad), sideways wheel, two fingers.

const WHEEL_RATE = 0.002,
    LINE_PX = 16;

// The window in which two times lie under two places, as they did when the fingers touched. Pure.
export function pinched([time, other], [x, y], scale, left) {
    const seconds = (other - time) / (y - x);
    const start = time - (x - left) * seconds;
    return { start, length: seconds * scale.plot };
}

export function gestures(element, scale) {
    const x = (event) => event.clientX - element.getBoundingClientRect().left;
    element.addEventListener(
        "wheel",
        (event) => {
            const unit = event.deltaMode === 1 ? LINE_PX : 1;
            if (event.ctrlKey || event.metaKey)
                scale.zoomAt(scale.time(x(event)), Math.exp(-event.deltaY * unit * WHEEL_RATE));
            else if (Math.abs(event.deltaX) > Math.abs(event.deltaY) && scale.zoomed)
                scale.pan(((event.deltaX * unit) / scale.plot) * scale.length);
            else return;
            event.preventDefault();
        },
        { passive: false },
    );

    const fingers = new Map(); // pointer -> where it is, and the time that was under it
    const begin = (event) => {
        if (event.pointerType === "touch") fingers.set(event.pointerId, { x: x(event), time: 0 });
    };
    const hold = () => {
        for (const finger of fingers.values()) finger.time = scale.time(finger.x);
    };
    element.addEventListener("pointerdown", (event) => {
        begin(event);
        hold();
    });
    element.addEventListener("pointermove", (event) => {
        const finger = fingers.get(event.pointerId);
        if (!finger) return;
        finger.x = x(event);
        if (fingers.size !== 2) return;
        const [one, two] = [...fingers.values()].sort((a, b) => a.time - b.time);
        if (two.time - one.time < 1e-3 || two.x - one.x < 8) return;
        const { start, length } = pinched(
            [one.time, two.time],
            [one.x, two.x],
            scale,
            scale.x(scale.start),
        );
        scale.show(start, length);
    });
    for (const name of ["pointerup", "pointercancel", "pointerleave"]) {
        element.addEventListener(name, (event) => {
            fingers.delete(event.pointerId);
            hold();
        });
    }
}
