import type { ReportCommon, ReportData } from './data.ts';
import type { Html } from './html.ts';

/** A part of the report, as data: pages are lists of them. */
export interface Section<Data extends Pick<ReportCommon, 'reported'> = ReportData> {
  /** Anchor in the page. */
  readonly id: string;
  readonly title: string;
  /** In the list of contents. */
  readonly short: string;
  /** Whether there is anything to say; always when absent. */
  readonly applies?: (data: Data) => boolean;
  readonly body: (data: Data) => Html;
}
