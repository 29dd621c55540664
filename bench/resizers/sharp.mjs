// The work of the crate `pictures` as it is done with sharp: sharp.mjs PICTURE FOLDER
//
// Once for every line that it reads, answered with the nanoseconds that took; the thumbnails of the first time are kept.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import sharp from 'sharp';

const SIZES = [64, 256, 512];
const LARGEST = 512;

sharp.concurrency(1);
// The same picture again would be no work.
sharp.cache(false);

/** Decodes once, as we do: three pipelines from the upload would decode three times. */
async function thumbnails(upload) {
  const { data, info } = await sharp(upload)
    .autoOrient()
    .resize(LARGEST, LARGEST, { fit: 'cover' })
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  const [extension, write] =
    info.channels === 4 ? ['png', (image) => image.png()] : ['jpg', (image) => image.jpeg({ quality: 84 })];
  const made = [];
  for (const size of SIZES) {
    const square = sharp(data, { raw: info });
    made.push([`${size}.${extension}`, await write(square.resize(size, size)).toBuffer()]);
  }
  return made;
}

const [picture, folder] = process.argv.slice(2);
const upload = readFileSync(picture);
console.log('ready');
let first = true;
for await (const _ of createInterface({ input: process.stdin })) {
  const began = process.hrtime.bigint();
  const made = await thumbnails(upload);
  const took = process.hrtime.bigint() - began;
  if (first) {
    for (const [name, file] of made) {
      writeFileSync(join(folder, name), file);
    }
    first = false;
  }
  console.log(String(took));
}
