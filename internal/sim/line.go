package sim

import (
	"cmp"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// line is what the ensemble knows of the candidates' znodes.
type line struct {
	lease  time.Duration        // D
	all    map[birth]*znode     // that ever were
	now    map[string][]*znode  // those that exist, by election, oldest first
	doomed map[string]time.Time // what an administrator has deleted and when, or is about to
	gone   map[string]int       // how many were deleted, by election
	come   map[string]int       // and created
}

// birth tells a znode from all others: those of two elections may have the same czxid. A reader
// that was a writer has the czxid of the writer, because it has the writer's place.
type birth struct {
	path  string
	czxid int64
}

// znode is a candidate's.
type znode struct {
	birth
	owner int64
	id    string
	since time.Time // when it was created
	first bool      // it has been the oldest, so that its candidate is the leader
}

// shared reports whether it is a reader's of a lock.
func (n *znode) shared() bool { return strings.Contains(n.path, readStyle) }

// readStyle and writeStyle are in the names of readers and writers of a lock. What comes before and
// after is the same when a writer becomes a reader.
const readStyle, writeStyle = "__READ__", "__WRIT__"

func newLine(lease time.Duration) line {
	return line{lease, map[birth]*znode{}, map[string][]*znode{}, map[string]time.Time{}, map[string]int{}, map[string]int{}}
}

func (l *line) created(ch zktest.Change, czxid int64) {
	if ch.Owner == 0 {
		return // the path of an election
	}
	id, _, _ := strings.Cut(string(ch.Data), "\n")
	n := &znode{birth: birth{ch.Path, czxid}, owner: ch.Owner, id: id, since: time.Now()}
	if n.shared() {
		if writer := l.at(strings.Replace(ch.Path, readStyle, writeStyle, 1)); writer != nil {
			n.czxid = writer.czxid // the same transaction deletes the writer's
		}
	}
	l.all[n.birth] = n
	dir := path.Dir(ch.Path)
	l.come[dir]++
	l.now[dir] = slices.Insert(l.now[dir], l.older(dir, n.czxid+1), n)
	l.now[dir][0].first = true
}

// older returns how many exist in a line that are older than czxid.
func (l *line) older(dir string, czxid int64) int {
	age := func(n *znode, czxid int64) int { return cmp.Compare(n.czxid, czxid) }
	n, _ := slices.BinarySearchFunc(l.now[dir], czxid, age)
	return n
}

// before returns those that exist and have come before a znode, oldest first. The znode itself may
// be gone. There are none before nil.
func (l *line) before(n *znode) []*znode {
	if n == nil {
		return nil
	}
	dir := path.Dir(n.path)
	return l.now[dir][:l.older(dir, n.czxid)]
}

func (l *line) deleted(node string) {
	dir := path.Dir(node)
	for i, n := range l.now[dir] {
		if n.path == node {
			l.gone[dir]++
			l.now[dir] = append(l.now[dir][:i:i], l.now[dir][i+1:]...)
			break
		}
	}
	if len(l.now[dir]) > 0 {
		l.now[dir][0].first = true
	}
	if _, ok := l.doomed[node]; ok {
		l.doomed[node] = time.Now()
	}
}

// at returns the znode that exists at a path, or nil.
func (l *line) at(node string) *znode {
	for _, n := range l.now[path.Dir(node)] {
		if n.path == node {
			return n
		}
	}
	return nil
}

// owner returns the session of a znode that exists, or 0.
func (l *line) owner(node string) int64 {
	if n := l.at(node); n != nil {
		return n.owner
	}
	return 0
}

// doom notes that an administrator is about to delete a znode with the whole path, the line's
// record included. Nothing is promised about the term that it stands for, from now until one lease
// after the deletion.
func (l *line) doom(node string) { l.doomed[node] = time.Time{} }

// excused reports whether the deletion of its path excuses the candidate of a znode.
func (l *line) excused(node string) bool {
	at, ok := l.doomed[node]
	return ok && (at.IsZero() || time.Since(at) < l.lease)
}
