package zktest

import "strings"

// validPath tells whether a server accepts path for a znode: absolute, no trailing slash, no empty,
// "." or ".." component, none of the characters ZooKeeper forbids.
func validPath(path string) bool {
	if path == "/" {
		return true
	}
	if !strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/") {
		return false
	}
	for name := range strings.SplitSeq(path[1:], "/") {
		if name == "" || name == "." || name == ".." {
			return false
		}
	}
	return strings.IndexFunc(path, forbiddenRune) < 0
}

// forbiddenRune follows ZooKeeper's list, which is in UTF-16: surrogates are on it, so nothing
// outside the basic plane is allowed.
func forbiddenRune(r rune) bool {
	switch {
	case r <= 0x1f, r >= 0x7f && r <= 0x9f, r >= 0xd800 && r <= 0xf8ff, r >= 0xfff0:
		return true
	}
	return false
}

// splitPath returns the parent's path ("" for the root, as ZooKeeper keys it) and the last
// component. ok is false where a server refuses to look further.
func splitPath(path string) (parent, name string, ok bool) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 || strings.IndexByte(path, 0) >= 0 {
		return "", "", false
	}
	return path[:i], path[i+1:], true
}

// isSpecial names the znodes that can not be deleted.
func isSpecial(path string) bool {
	switch path {
	case "/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config":
		return true
	}
	return false
}
