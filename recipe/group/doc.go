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
// It is membership and the ephemeral znode that persists in one. Use it to register a service, to
// know which workers there are, and to hand out work to them.
//
// # What is not promised
//
// A list shows a state of the past: [Snapshot.AsOf] says of which time at least. A member that has
// crashed stays in it until the ensemble has expired its session, the session timeout T after it was
// heard of last, or later. A member whose process has been told by nobody that it is gone may go on
// working: it has to ask [Member.Valid], or heed the context of its [Listing]. Changes that follow
// each other quickly may show as one.
//
// # What is promised
//
// D is the length of a lease, session.Config.Lease, 4 s by default. It should be the same for all; where
// it is not, the longest counts for who waits.
//
//   - Listed. When [Group.Join] has returned, the znode is there and belongs to a session that lives.
//     When it goes, by the end of the session or by somebody's hand, the member makes it again, at
//     once, and never in a session that is over. After [Member.Leave] it does not come back.
//   - No flap. A cut shorter than the session timeout changes nothing that others see. A process that
//     starts again with the same ID takes its former znode over in one transaction: nobody sees the ID
//     missing, and the znode does not vanish with the former session.
//   - One of each ID, with [StyleNamed]. Who joins later replaces who has joined before, once. That one
//     is told by [ErrReplaced] and does not come back.
//   - Work. When anybody knows that a member's znode is gone, and has waited for session.Outlast of D
//     since, that member's listing is not Valid any more, whatever its connection was like meanwhile.
//     So who hands out work notes the [Entry.Token] that it gave it to, and gives it to another
//     when that znode has been gone for so long. The member works as long as its listing of that
//     token is Valid. A member that leaves in order has stopped before: its successor need not wait
//     if it knows that by other means.
//   - Age. All that anybody was told to be done before [Snapshot.AsOf] is in the snapshot. It is proved
//     by a write that a quorum has accepted. A sync would not prove it: a server that only believes that
//     it leads answers it.
//   - Data. The znode holds what the latest [Member.Set] was given, also after a loss of the session.
//     Older data never replace newer ones.
//
// Assumed: writes are linearizable, and a server sends the events of what was committed before a write
// ahead of that write's answer, as ZooKeeper promises; clocks' rates differ by less than 6 %; nobody
// changes the ACL of a member's znode.
//
// # What it costs
//
//	join                1 quorum write and 1 read; 1 write more for the lease, 1 for the session's first
//	                    heartbeat; 1 read and 1 write more to take an ID over
//	a member at rest    4 quorum writes per D and session, however many members, leaders and locks it
//	                    has; none with Config.NoLease; 1 small read per T
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
// ShallowParty. All are read, whatever the own style is. A member of another library with the same
// ID keeps that library's promises: Curator's writes its data into the znode of ours, and takes it for
// its own.
package group
