// The camera as a reader of QR codes: the browser's own detector, or else jsQR on small pictures.

const LOOK_MS = 140;
const SIDE_MOST = 640;
const JSQR = new URL("../vendor/jsqr/jsQR.js", import.meta.url).href;

/** Whether this browser lets a page ask for the camera (only over https, or on this machine). */
export function hasCamera() {
  return Boolean(navigator.mediaDevices?.getUserMedia);
}

/** Show the camera in a video and resolve with the first text that is read; null when the signal comes first. */
export async function readCode(video, signal) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { facingMode: "environment", width: { ideal: 1280 } } });
  try {
    if (signal.aborted) return null;
    video.srcObject = stream;
    await video.play();
    const read = await reader();
    while (!signal.aborted) {
      const text = await read(video);
      if (text) return text;
      await new Promise((done) => setTimeout(done, LOOK_MS));
    }
    return null;
  } finally {
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
  }
}

/** A function that reads a picture: a video, canvas or image. */
export async function reader() {
  const own = globalThis.BarcodeDetector;
  if (own && (await own.getSupportedFormats().catch(() => [])).includes("qr_code")) {
    const detector = new own({ formats: ["qr_code"] });
    return async (picture) => (await detector.detect(picture).catch(() => []))[0]?.rawValue ?? null;
  }
  // It hangs itself on the page, as scripts of its time did.
  await import(JSQR);
  const canvas = document.createElement("canvas");
  return async (picture) => byJsqr(picture, canvas);
}

function byJsqr(picture, canvas) {
  const width = picture.videoWidth ?? picture.width;
  const height = picture.videoHeight ?? picture.height;
  if (!width || !height) return null;
  const scale = Math.min(1, SIDE_MOST / Math.max(width, height));
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
  return globalThis.jsQR(data, canvas.width, canvas.height)?.data || null;
}
