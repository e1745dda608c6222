package zktest

// Release is the number of a release of ZooKeeper.
type Release string

// The releases that are imitated. Where the two differ, other releases behave like one of them.
const (
	// Release380 is the oldest release that is imitated. Debian's package of it is.
	Release380 Release = "3.8.0"
	// Release395 is the newest.
	Release395 Release = "3.9.5"
)

// existsNeedsRead: from 3.7.3, 3.8.4 and 3.9.2 on, exists answers NoAuth and leaves no watch, if the
// znode exists and the client has no READ permission on it (ZOOKEEPER-2590).
func (r Release) existsNeedsRead() bool { return r == Release395 }

// eventsHaveZxid: from 3.9.0 on, the header of a watch event has the zxid of the change (ZOOKEEPER-4655), -1 before.
func (r Release) eventsHaveZxid() bool { return r == Release395 }

// multiKeepsKinds: in 3.7.2, and from 3.8.4 on, a create2 in a multi is answered with a Stat, and a multi with flags
// that no create has cannot be read. Before, the flags alone decided what a create in a multi was.
func (r Release) multiKeepsKinds() bool { return r == Release395 }

// lastWatchType: from 3.9.0 on, removeWatches knows watches that last by types of their own.
func (r Release) lastWatchType() int32 {
	if r == Release395 {
		return 5
	}
	return watchAny
}

// unreadTakesZxid: up to 3.8, a write whose parameters cannot be read is given a zxid before it is refused. In 3.9.3
// to 3.9.5 it is not. Only a server that is alone imitates that.
func (r Release) unreadTakesZxid() bool { return r == Release380 }
