// Package recipe is the index of the recipes, which have packages of their own:
//
//   - election: one leader at a time among many candidates. Promises that no two have a
//     valid term at one instant, and a fencing token that only grows; does not promise that
//     code which ignores its context stops. Costs 8 quorum writes per session timeout for a
//     leader and for its heir each, and for everybody else pings and a small read or three
//     per session timeout.
//
// They are built from the same parts: package session (one ZooKeeper session and its
// lease), package watch (waits on znodes) and a queue of ephemeral sequential znodes.
package recipe
