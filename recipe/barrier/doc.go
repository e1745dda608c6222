// Package barrier holds processes back until something has happened, with Apache ZooKeeper: until a
// barrier is lowered ([Barrier]), or until all members are there, and again until all have left
// ([Double]).
//
//	b, err := barrier.New(client, "/migration", barrier.Config{})
//	...
//	err = b.Wait(ctx) // until nobody has raised it, or somebody has lowered it
//
//	d, err := barrier.NewDouble(client, "/load-test", 3, barrier.Config{})
//	...
//	round, err := d.Enter(ctx) // until three are there
//	...
//	work(round.Context())
//	err = round.Leave(ctx)     // until all three have left
//
// # What is not promised
//
// A round does not promise that its other members still live a moment later. The others are not
// told of a crash inside a round; it counts as leaving. Members of other libraries keep only their
// own promises. Curator and kazoo write a "ready" that names nobody. Our members enter by it, too.
// Then they cannot tell whether all were given the same n.
//
// # What is promised
//
//   - Barrier. If [Barrier.Raise] has returned before [Barrier.Wait] is called, the barrier holds
//     Wait back, at any server. When the barrier is lowered, Wait returns, also after changes of
//     connection and losses of session, and also if the barrier is raised again at once.
//   - Together. When [Double.Enter] has returned for one of n members, the znodes of n existed at
//     one moment. Nobody else is in the same round: another member gets [ErrFull]. A member that
//     was given another n gets [ErrDisagree].
//   - Nobody passes alone. A "ready" that is left over from a round whose members were all killed
//     lets nobody in.
//   - Out together. [Round.Leave] returns nil when all others have left, or have lost their znodes.
//     A crash of the last one wakes those who wait.
//   - [Round.Valid] is true as long as this member surely counts as inside.
//
// # What it costs
//
//	Wait      1 quorum write that changes nothing, 1 or 2 reads, 1 watch
//	Lower     3 quorum writes, 1 read
//	Enter     1 quorum write, 1 more for the lease; the last one 1 more; lists: a few for each member,
//	          and fewer than 1000 a second of all together while they wait
//	inside    4 quorum writes per lease
//	Leave     1 quorum write, and 1 list and 2 reads each time a member that it watches leaves
//
// # Layout
//
// The path of a [Barrier] exists while it is raised, as in Curator and kazoo. A [Double] has the
// layout of their double barriers: an ephemeral znode for each member, and "ready". Our "ready" has
// the names of the members that it lets in. One transaction creates it, checks their znodes, and
// sets the path's data to the value that they have. So the version of these data tells whether what
// was read still holds. Other children of the path are ignored; Curator and kazoo count them.
package barrier
