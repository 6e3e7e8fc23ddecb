// Which layers have a period of their own.

/** Whether a layer has a period that can be gone through: a time attribute, or pictures that say when they were taken. */
export const hasTimes = (layer) => Boolean((layer.time || layer.timed) && layer.edition?.interval);
