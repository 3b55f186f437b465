/** Things by a key, in their order; keys in the order in which they first come. */
export function groupBy<T, K>(things: Iterable<T>, keyOf: (thing: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const thing of things) {
    const key = keyOf(thing);
    const group = groups.get(key);
    if (group) group.push(thing);
    else groups.set(key, [thing]);
  }
  return groups;
}

/** Places from 0 to `count` by the key of each, ascending. */
export function placesBy<K>(count: number, keyOf: (place: number) => K): Map<K, number[]> {
  return groupBy(Array(count).keys(), keyOf);
}
