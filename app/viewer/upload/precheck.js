// What can be said of a file before it is sent: size, type, length, whether this browser plays it. Pure.

const VIDEOS = /\.(mp4|m4v|mov|webm|mkv|avi|mpe?g|mts|m2ts|ts|wmv|flv|3gp|ogv)$/i;
const SHORTEST_S = 0.64,
    SHORTEST_RANGE_S = 1;

export function sizeText(bytes) {
    if (bytes < 1e6) return `${Math.max(1, Math.round(bytes / 1e3))} kB`;
    return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

export function lengthText(seconds) {
    return seconds < 60
        ? `${seconds.toFixed(1)} s`
        : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

// The part that was asked for, or null for the whole clip.
export function rangeOf(from, to, duration) {
    const start = Number(from) || 0;
    const end = to === "" || to === null ? (duration ?? Infinity) : Number(to);
    const whole = start <= 0 && (duration === null ? end === Infinity : end >= duration - 0.01);
    return whole ? null : { start, end: Math.min(end, duration ?? end) };
}

// file: {name, size, type}; seen: {duration, width, height} as this browser reads it, null where it can't;
// limits: {bytes, seconds} (null: none). `stops` say why the file can't be sent, `notes` what will happen.
export function precheck(file, seen, range, limits) {
    const stops = [],
        notes = [];
    if (!file.size) stops.push("The file is empty. Copy or download it again.");
    if (!file.type.startsWith("video/") && !VIDEOS.test(file.name))
        stops.push("This is no video file. Choose an mp4, mov, webm, mkv or avi file.");
    if (limits.bytes && file.size > limits.bytes)
        stops.push(
            `The file is larger than ${sizeText(limits.bytes)}, the most that can be sent. Make it smaller first.`,
        );
    if (seen === null)
        notes.push(
            "This browser can't play the file. It is converted for viewing; the file itself is analysed.",
        );
    const length = range ? range.end - range.start : (seen?.duration ?? null);
    if (range && !(length >= SHORTEST_RANGE_S))
        stops.push(
            `The range is no part of the clip. Choose one of at least ${SHORTEST_RANGE_S} s.`,
        );
    else if (range && range.end === Infinity) stops.push("Say where the range ends.");
    else if (length !== null && limits.seconds && length > limits.seconds) {
        stops.push(
            `The clip is longer than ${lengthText(limits.seconds)}, the most that is analysed at once. Choose a range below.`,
        );
    } else if (!range && length !== null && length < SHORTEST_S)
        stops.push(`The clip is shorter than ${SHORTEST_S} s: too short to be analysed.`);
    if (range && !stops.length)
        notes.push(
            "Only this range is analysed. It begins at the keyframe before, so that no picture is coded again, and its times count from there.",
        );
    return { stops, notes };
}
