import { doubled } from './doubled.js';

const TOPICS_AT_FIRST = 16;

/** Topics in an array that is used again and grows as needed. */
export class TopicList {
  /** `count` of them count, each once, in no promised order. */
  topics: Int32Array = new Int32Array(TOPICS_AT_FIRST);
  count = 0;

  add(topic: number): void {
    if (this.count === this.topics.length) this.topics = doubled(this.topics);
    this.topics[this.count++] = topic;
  }

  clear(): void {
    this.count = 0;
  }
}
