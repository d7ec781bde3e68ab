/** Why a client's frame was refused as a whole; nothing of it has been executed. */
export const FrameFault = {
  NONE: 0,
  TRUNCATED: -1,
  VARINT: -2,
  TAG: -3,
  GROUP: -4,
  WIRE_TYPE: -5,
  TWO_BODIES: -6,
  NO_BODY: -7,
  TOO_MANY_OPERATIONS: -8,
} as const;
export type FrameFault = (typeof FrameFault)[keyof typeof FrameFault];

/** The detail that goes beside INVALID (TOO_LARGE for the last one). */
export const FRAME_FAULT_SENTENCES: Readonly<Record<FrameFault, string>> = {
  [FrameFault.NONE]: 'The frame is well formed.',
  [FrameFault.TRUNCATED]: 'A field does not end within its message.',
  [FrameFault.VARINT]: 'A variable-length number is longer than 10 bytes.',
  [FrameFault.TAG]: 'A tag has field number 0, an unknown wire type or more than 32 bits.',
  [FrameFault.GROUP]: 'Groups are not part of this format.',
  [FrameFault.WIRE_TYPE]: 'A known field has another wire type than its own.',
  [FrameFault.TWO_BODIES]: 'A frame has exactly one body; this one has more.',
  [FrameFault.NO_BODY]: 'A frame has exactly one body; this one has none that is known.',
  [FrameFault.TOO_MANY_OPERATIONS]: 'The frame has more operations than Welcome announced.',
};
