// Package group keeps a member listed in a group, and tells who is in it, with Apache ZooKeeper.
//
//	g, err := group.New(client, "/workers", group.Config{ID: "host-a", Data: []byte("10.0.0.1:80")})
//	...
//	m, err := g.Join(ctx) // listed from now on, in as many sessions as it takes
//	...
//	defer m.Leave(ctx)
//	list := g.Watch()
//	defer list.Close()
//	for {
//		now, err := list.Next(ctx) // at first, and at each change
//		...
//	}
//
// It is a list of members, and an ephemeral znode that is created again after each loss. Use it to
// register a service, to know which workers there are, and to hand out work to them.
//
// Programs to copy from: examples/members (a live list), examples/dispatcher (a leader that hands
// out jobs to the members).
//
// # What is not promised
//
// A list shows a past state. It is at least as new as [Snapshot.AsOf]. A member that has crashed
// stays in the list until the ensemble expires its session: T, the session timeout, after the
// ensemble last heard from it, or later. A member may go on working when its znode is gone and its
// process does not know that yet. So its work has to ask [Member.Valid], or stop with the context
// of its [Listing]. Several quick changes may show as one.
//
// # What is promised
//
// D is the length of a lease, session.Config.Lease, 4 s by default. It should be the same for all
// members. If it is not, wait for the longest.
//
//   - Listed. When [Group.Join] has returned, the znode is there and belongs to a session that
//     lives. When the session ends, or somebody deletes the znode, the member creates it again at
//     once, never in a session that is over. If that fails, it tries for as long as it takes,
//     whatever the error. Events, [Member.Status] and the log tell the error. Only Join ends with
//     an error that no retry can cure. After [Member.Leave] it does not come back.
//   - No flap. A lost connection that is back within the session timeout changes nothing for
//     observers. A process that restarts with the same ID replaces its former znode in one
//     transaction: no observer sees the ID missing, and the end of the former session does not
//     delete the new znode. A former znode that the new member has no permission to read is
//     different, see below.
//   - One of each ID, with [StyleNamed]. A later member replaces an earlier one, once. The table
//     below tells which of them gets [ErrReplaced]. That one does not come back.
//   - Work. When a process has known for 17/16 D (session.Outlast) that a member's znode is gone,
//     that member's listing is not Valid any more, in any state of its connection. So a process
//     that hands out work notes the [Entry.Token] of the member that gets it. It gives the work to
//     another member when that znode has been gone for that time. The member works as long as its
//     listing of that token is Valid. A member that calls Leave has stopped before. A successor
//     that learns of the Leave in another way does not have to wait.
//   - Age. Every change that was acknowledged, to any client, before [Snapshot.AsOf] is in the
//     snapshot. A write that a quorum has accepted proves that. A sync would not prove it: a
//     deposed leader that does not know it yet answers a sync, too.
//   - Data. The znode holds what the latest [Member.Set] was given, also after a loss of the
//     session. Older data never replace newer ones. That holds for members that follow one another
//     with the same ID, too, see below.
//
// Two members with one ID, when the earlier one finds out that the later one has replaced it:
//
//	the later one's znode is there    the earlier one gets ErrReplaced
//	the later one has left            nobody gets it; the earlier one is listed again
//	the later one's session is lost   the earlier one is listed again; the later one gets ErrReplaced
//
// Credentials. A former znode may have been made with credentials that the new member does not
// have. Servers from 3.7.3, 3.8.4 and 3.9.2 on do not tell whose it is. Then Join tries until that
// znode is gone, reports [EventFailed], and does not replace a member that lives. So after a crash
// the ID is missing from the end of the former session until the next attempt, for some 10 s at
// most. Older servers let the new member replace the znode. recipe/docs/operations.md tells how to
// replace credentials without that.
//
// Late requests. A write or a deletion of a former znode may be carried out late: the former member
// does not know yet that it was replaced, because its server lags, or the answer to the request was
// lost. Such a request names the version of the former znode's data. It fails because the new znode
// begins at the next version. But the new znode begins at version 1 in two cases:
//
//   - The former one's version is 100 or larger. With more than 200,000 bytes of data the limit is
//     less than 100, and at least 2.
//   - There is no former one when the new znode is created: the member before has left, its session
//     has ended, or somebody else has deleted the znode.
//
// In these cases a late request can reach the new znode, if that has the same version when the
// request arrives. The member then writes its data again, or is listed again. A create is never
// carried out late, unless the client has given up the session and the ensemble has not.
//
// Assumed: writes are linearizable; before a server answers a write, it sends the events of all
// earlier commits (ZooKeeper promises both); clocks' rates differ by less than 6 %; nobody changes
// the ACL of a member's znode.
//
// # What it costs
//
//	join                1 quorum write and 1 read; 1 write more for the lease, 1 for the session's first
//	                    heartbeat; 1 read and 1 write more to take an ID over
//	a member at rest    4 quorum writes per D and session, for up to some 3,000 members, leaders and
//	                    locks that it has; none with Config.NoLease; 1 small read per T
//	an observer         1 list per change of the list, 1 read per change of a member; after a change of
//	                    connection 1 list and 1 read of each member; 1 quorum write and 1 small read
//	                    per Config.Prove, D by default
//
// A hundred members with D = 4 s write 100 times a second in all. For large groups ask for a longer
// lease, or do without it.
//
// # Other libraries
//
// [Style] has the layouts of Curator's GroupMember and PersistentNode, and of kazoo's Party and
// ShallowParty. All are read, in every style. A member of another library with the same ID keeps
// that library's promises: Curator's writes its data into the znode of ours, and takes it for its
// own.
package group
