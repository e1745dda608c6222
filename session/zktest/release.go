package zktest

import "slices"

// Release is the number of a release of ZooKeeper.
type Release string

// The releases that are imitated. Where these differ, other releases behave like one of them.
const (
	// Release3510 is the oldest release that is imitated.
	Release3510 Release = "3.5.10"
	// Release380 is the release that Debian 12 packages.
	Release380 Release = "3.8.0"
	// Release395 is the newest.
	Release395 Release = "3.9.5"
)

var imitated = []Release{Release3510, Release380, Release395}

// known says whether the release is imitated.
func (r Release) known() bool { return slices.Contains(imitated, r) }

// existsNeedsRead: from 3.7.3, 3.8.4 and 3.9.2 on, exists answers NoAuth and leaves no watch, if
// the znode exists and the client has no READ permission on it (ZOOKEEPER-2590).
func (r Release) existsNeedsRead() bool { return r == Release395 }

// eventsTellAnybody: up to 3.7.2, 3.8.3 and 3.9.1, events tell of znodes that the client has no
// permission to read (CVE-2024-23944). Debian's 3.8.0 has the repair.
func (r Release) eventsTellAnybody() bool { return r == Release3510 }

// eventsHaveZxid: from 3.9.0 on, the header of a watch event has the zxid of the change
// (ZOOKEEPER-4655), -1 before.
func (r Release) eventsHaveZxid() bool { return r == Release395 }

// pathsHaveModes: from 3.9.0 on, a connection can have watches of several modes on one path
// (ZOOKEEPER-4466).
func (r Release) pathsHaveModes() bool { return r == Release395 }

// knows says whether the release has an operation. addWatch has come with 3.6.0.
func (r Release) knows(op Op) bool { return op != OpAddWatch || r != Release3510 }

// multiKeepsKinds: in 3.7.2, and from 3.8.4 on, a create2 in a multi is answered with a Stat, and a
// multi with flags that no create has cannot be read. Before, the flags alone decided what a create
// in a multi was.
func (r Release) multiKeepsKinds() bool { return r == Release395 }

// unreadTakesZxid: up to 3.8, a write whose parameters cannot be read is given a zxid before it is
// refused. In 3.9.3 to 3.9.5 it is not. Only a server that is alone imitates that.
func (r Release) unreadTakesZxid() bool { return r != Release395 }

// looksBeforeItAsks: in 3.5, a delete looks for the znode before it asks for the permission.
func (r Release) looksBeforeItAsks() bool { return r == Release3510 }

// countsWrap: in 3.5, the sequence number after 2147483647 is the lowest negative one.
func (r Release) countsWrap() bool { return r == Release3510 }
