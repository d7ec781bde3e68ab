import { SEGMENT_SLOTS } from './arena-layout.js';

/** Where a scan of a partition stands that may stop at any record; new: at its beginning. */
export class ScanPlace {
  /** Directory entry; SCAN_END behind the last segment. */
  entry = 0;
  /** The segment that the scan has stopped in, or 0; its version, and the slot to go on at. */
  segment = 0;
  version = 0;
  offset: number = SEGMENT_SLOTS;
  /** Directory entry behind the segment last begun. */
  segmentEnd = 0;
}
