import './strict.ts';
import { App } from './app.ts';
import { fromDrop, fromList } from './files.ts';
import { get } from './view/dom.ts';
import { View } from './view/view.ts';

let view: View | undefined;
const app = new App((state) => view?.render(state));
view = new View(app);
view.render(app.state);

get('demo').addEventListener('click', () => void app.openDemo());
get('opening-cancel').addEventListener('click', () => app.cancelOpening());
for (const kind of ['folder', 'files'] as const) {
  const input = get<HTMLInputElement>(`${kind}-input`);
  get(`choose-${kind}`).addEventListener('click', () => input.click());
  input.addEventListener('change', () => {
    const files = fromList(input.files!);
    // The same files may be chosen again.
    input.value = '';
    void app.openFiles(files);
  });
}

/** Files may be dropped anywhere; dragging text or links is no concern of the page. */
const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') === true;
let depth = 0;
const mark = (change: number) => {
  depth = Math.max(0, depth + change);
  get('drop').classList.toggle('over', depth > 0);
};
addEventListener('dragenter', (event) => hasFiles(event) && mark(1));
addEventListener('dragleave', (event) => hasFiles(event) && mark(-1));
addEventListener('dragover', (event) => {
  if (hasFiles(event)) event.preventDefault();
});
addEventListener('drop', (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  mark(-depth);
  void fromDrop(event.dataTransfer!).then((files) => app.openFiles(files));
});
// The device's memory goes back at once, also where the browser keeps the page for the way back.
addEventListener('pagehide', () => void app.close());
addEventListener('pageshow', (event) => {
  if (event.persisted) location.reload();
});

/** For a look from the browser's console: what the device holds. */
Object.assign(globalThis, { fmri2image: { stats: () => app.stats() } });

void app.begin(new URLSearchParams(location.search));
