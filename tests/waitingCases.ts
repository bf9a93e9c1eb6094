/** Gradient cases that fail as yet, each with what it waits for. Take out what passes: the test fails on it. */
export const waiting: Readonly<Record<string, string>> = {};
