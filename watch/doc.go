// Package watch turns ZooKeeper's one-shot watches into waits: until a znode is gone ([Gone]),
// until it differs from what was seen last ([Node]), or until its list of children differs
// ([Children]).
//
// # One-shot watches
//
// A read leaves a watch at a ZooKeeper server. The watch tells once that something has changed, and
// is then used up. It does not tell what the znode is now, or how often it has changed. It ends
// with its connection. The next read leaves another watch; no watch tells of the changes in
// between. So an event is only a reason to read again, and its absence does not prove that nothing
// happened.
//
// # What this package makes of them
//
// The state is authoritative, the event is not. A wait reads the znode, which leaves a watch, and
// reads it again
//
//   - when the watch has fired,
//   - after every reconnect,
//   - every session timeout T while a watch is set: first with a small exists request, and with a
//     full read only if the znode is not as last seen. So a lost event only delays the wait,
//   - every T/4 while no watch is set: the znode is missing, or the client has no permission to
//     read it and waits only for its end.
//
// Each state that a caller gets is newer than the one before, and the latest at the time of the
// read. States in between may be skipped. The order is always right, at all servers that the
// session moves to, because a later read of a session never shows an older state.
//
// No wait leaves a watch on a znode that does not exist. Such a watch would stay at the server
// until somebody creates the znode. Where names are used only once, such watches would become more
// and more.
//
// A wait ends with an error that says why: the cause of the context, the reason for which the
// session is over, [ErrStopped], or what the server refuses (zk.ErrNoAuth). A lost connection does
// not end a wait: the wait goes on after the reconnect.
//
// # Costs
//
// Nothing here has a goroutine of its own. All waits on one path in a session share one watch at
// the server and one event. Each makes its own read afterwards, so n waits cost n reads per change.
// An undisturbed wait costs one exists request per T. A wait on a missing znode costs 4 reads per
// T. A Gone that has no permission to read its znode costs 8 small requests per T, and with newer
// servers 4 lists of the children of its parent, too. A read returns all data, or the whole list.
// Gone reads all data, too: an exists request would leave a watch on a missing znode, and a read
// does not.
//
// # What is not promised
//
//   - Every state. A znode that was deleted and created again may show as one change; two changes
//     of data may show as one.
//   - An up-to-date state. A server may lag behind the ensemble's leader. After
//     [session.Session.QuorumSync], a wait sees all that was acknowledged before the call.
//   - Immediate notice of a creation. It is seen within T/4, and at once only if the same session
//     creates the znode.
//   - Changes of the ACL. They fire no watch.
//   - A wait beyond the session. A wait belongs to one session and ends with it.
//   - A watch at the server that ends with the wait. From 3.5.0 on it is removed about a second
//     later, unless another wait needs it. Older servers keep it until it fires or its connection
//     ends; a path has one at most per session.
package watch
