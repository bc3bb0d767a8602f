// The axis of a curve, from its definition in the report (report.curves) and the marks beside its values: the rules of
// deeploc/curves.py. Pure.

const peakOf = (values) =>
    values.reduce((most, value) => Math.max(most, value ?? -Infinity), -Infinity);

export const titleOf = ({ label, unit }) => (unit ? `${label} (${unit})` : label);

// The level that authentic clips usually stay below; null for a curve without one.
export const usualOf = ({ usual }, { marks }) =>
    marks.find(({ name }) => name === usual)?.level ?? null;

// The lower and the upper end for some streams of one curve. Marks fix it, so that clips compare; only a clip that
// leaves the scale stretches it.
export function axisOf({ range: [low, high] }, scores) {
    if (high !== null) return [low, high + 0.02 * (high - low)];
    const marks = scores.flatMap((one) => one.marks.map(({ level }) => level));
    const fixed = marks.length ? 2 * Math.max(...marks) : low + 1;
    return [low, Math.max(fixed, 1.06 * Math.max(...scores.map(({ values }) => peakOf(values))))];
}
