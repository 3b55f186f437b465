import type { Extent, Study } from '@fmri2image/core';

/** Edges of the pictures in degrees, (0, 0) where the study puts it, y up: row 0 of a picture is its top. */
export function visualExtent({
  widthDegrees: width,
  heightDegrees: height,
  origin,
}: NonNullable<Study['visualField']>): Extent {
  // Where (0, 0) lies, from the picture's centre.
  const zero =
    typeof origin === 'object'
      ? origin
      : {
          centre: { x: 0, y: 0 },
          'top-left': { x: -width / 2, y: height / 2 },
          'bottom-left': { x: -width / 2, y: -height / 2 },
        }[origin];
  return {
    left: -width / 2 - zero.x,
    right: width / 2 - zero.x,
    top: height / 2 - zero.y,
    bottom: -height / 2 - zero.y,
  };
}
