package zktest

import "slices"

// watchMode is how a watch behaves when it fires.
type watchMode uint8

const (
	oneShot    watchMode = 1 << iota // it is used up
	persistent                       // it stays
	recursive                        // it stays, and fires for everything below its path, too
)

// watchTable holds the watches of one kind at one server: which connections want to hear about a
// path, and how. From 3.9.0 on, a connection can have several of them on one path (ZOOKEEPER-4466);
// before, the latest replaces the others.
type watchTable struct {
	paths     map[string]map[*conn]watchMode
	recursive int // how many have that mode
}

func newWatchTable() *watchTable {
	return &watchTable{paths: map[string]map[*conn]watchMode{}}
}

func (t *watchTable) add(path string, c *conn, m watchMode) {
	if t.paths[path] == nil {
		t.paths[path] = map[*conn]watchMode{}
	}
	if c.srv.release.pathsHaveModes() {
		m |= t.paths[path][c]
	}
	t.set(path, c, m)
}

// set makes m all that the connection has on the path.
func (t *watchTable) set(path string, c *conn, m watchMode) {
	had := t.paths[path][c]
	t.recursive += int(m&recursive/recursive) - int(had&recursive/recursive)
	if m != 0 {
		t.paths[path][c] = m
		return
	}
	delete(t.paths[path], c)
	if len(t.paths[path]) == 0 {
		delete(t.paths, path)
	}
}

// remove takes off what the connection has on the path of these modes.
func (t *watchTable) remove(path string, c *conn, modes watchMode) {
	if had := t.paths[path][c]; had&modes != 0 {
		t.set(path, c, had&^modes)
	}
}

// fired returns the connections that hear of an event, oldest first, and takes off the watches that
// it uses up.
func (t *watchTable) fired(path string, ev eventType) []*conn {
	var hear []*conn
	for c, m := range t.paths[path] {
		if m != recursive || ev != nodeChildrenChanged { // a recursive watch gets no events of lists of children
			hear = append(hear, c)
		}
		t.set(path, c, m&^oneShot)
	}
	for dir := path; t.recursive > 0 && dir != "/" && ev != nodeChildrenChanged; {
		dir, _, _ = splitPath(dir)
		dir = orRoot(dir)
		for c, m := range t.paths[dir] {
			if m&recursive != 0 && !slices.Contains(hear, c) {
				hear = append(hear, c)
			}
		}
	}
	slices.SortFunc(hear, byArrival)
	return hear
}

// drop forgets a connection that is gone.
func (t *watchTable) drop(c *conn) {
	for path := range t.paths {
		t.remove(path, c, oneShot|persistent|recursive)
	}
}

// watches are a server's two tables, as ZooKeeper has them: data watches (set by getData and
// exists) and child watches (set by getChildren).
type watches struct{ data, child *watchTable }

func newWatches() watches { return watches{newWatchTable(), newWatchTable()} }

func (w watches) drop(c *conn) {
	w.data.drop(c)
	w.child.drop(c)
}

// add carries out an addWatch. Its modes are 0, persistent, and 1, persistent and recursive.
func (w watches) add(a args, c *conn) Code {
	switch a.flags {
	case 0:
		w.data.add(a.path, c, persistent)
		w.child.add(a.path, c, persistent)
	case 1:
		w.data.add(a.path, c, recursive)
		if !c.srv.release.pathsHaveModes() {
			w.child.add(a.path, c, recursive)
		}
	default:
		return CodeMarshallingError
	}
	return CodeOK
}

// ask answers a checkWatches, and carries out a removeWatches. Their types are 1, children; 2,
// data; 3, any; and 4, persistent; 5, persistent and recursive, where those are told from the
// others.
func (w watches) ask(a args, c *conn) Code {
	all := oneShot | persistent | recursive
	single := all
	if c.srv.release.pathsHaveModes() {
		single = oneShot
	}
	var child, data watchMode // what is to be removed
	switch a.flags {
	case 1:
		child = single
	case 2:
		data = single
	case 3:
		child, data = all, all
	case 4:
		child, data = persistent, persistent
	case 5:
		data = recursive
	default:
		return CodeMarshallingError
	}
	if a.flags > 3 && !c.srv.release.pathsHaveModes() {
		return CodeMarshallingError
	}
	if w.child.paths[a.path][c]&child == 0 && w.data.paths[a.path][c]&data == 0 {
		return CodeNoWatcher
	}
	if a.op == OpRemoveWatches {
		w.child.remove(a.path, c, child)
		w.data.remove(a.path, c, data)
	}
	return CodeOK
}

// notify sends the events of one change. A client that hears of a deletion through a data watch
// does not hear of it again through a child watch on the same znode; the parent's child watches
// come last.
func (w watches) notify(ch change) {
	told := w.fire(w.data, ch, nil)
	if ch.event == nodeDeleted {
		w.fire(w.child, ch, told)
	}
	if ch.parent != "" {
		w.fire(w.child, change{event: nodeChildrenChanged, path: ch.parent, acl: ch.parentACL, zxid: ch.zxid}, nil)
	}
}

// fire notifies the watches that hear of a change. A watcher that has no permission to read the
// znode loses its watch silently (CVE-2024-23944 closed that leak).
func (w watches) fire(t *watchTable, ch change, except []*conn) []*conn {
	list := t.fired(ch.path, ch.event)
	for _, c := range list {
		if !slices.Contains(except, c) && (c.srv.release.eventsTellAnybody() || allowed(ch.acl, permRead, c.ids)) {
			c.sendEvent(ch.event, ch.path, ch.zxid)
		}
	}
	return list
}

// reset re-arms a reconnected client's watches. What it missed since zxid is reported at once
// instead, without the zxid of a change; ACLs are not checked then.
func (w watches) reset(t *tree, a args, c *conn) {
	for _, path := range a.dataPaths {
		switch n := t.get(path); {
		case n == nil:
			c.sendEvent(nodeDeleted, path, -1)
		case n.mzxid > a.relZxid:
			c.sendEvent(nodeDataChanged, path, -1)
		default:
			w.data.add(path, c, oneShot)
		}
	}
	for _, path := range a.existPaths {
		if t.get(path) != nil {
			c.sendEvent(nodeCreated, path, -1)
		} else {
			w.data.add(path, c, oneShot)
		}
	}
	for _, path := range a.chldPaths {
		switch n := t.get(path); {
		case n == nil:
			c.sendEvent(nodeDeleted, path, -1)
		case n.pzxid > a.relZxid:
			c.sendEvent(nodeChildrenChanged, path, -1)
		default:
			w.child.add(path, c, oneShot)
		}
	}
}
