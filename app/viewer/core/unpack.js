// Bytes as the server packs them: base64, little-endian, one fixed scale.

export const NOTHING = 255,
    TOP = 254; // not scored; the top of a scale
export const NO_BOX = -32768;

export function bytes(text) {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

export const signedBytes = (text) => new Int8Array(bytes(text).buffer);

export const shorts = (text) => new Int16Array(bytes(text).buffer);
