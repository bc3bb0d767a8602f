// The streams, their letters and words: as in deeploc/scores.py (STREAMS, STREAM_LABELS).

export const STREAM_LABELS = { visual: "picture", audio: "sound", fused: "picture and sound" };
export const STREAMS = Object.keys(STREAM_LABELS);
export const LETTERS = { visual: "V", audio: "A", fused: "VA" };
export const STREAM_OF = Object.fromEntries(STREAMS.map((stream) => [LETTERS[stream], stream]));
