package zktest

import (
	"crypto/sha1"
	"encoding/base64"
	"net"
	"slices"
	"strconv"
	"strings"
)

// identity is one thing a connection has authenticated as. Every connection has its address; digest
// identities are added by auth requests, sasl ones by SASL exchanges.
type identity struct{ scheme, id string }

// digestID is the identity of a "user:password" credential: the user and the base64 SHA-1 of the
// whole credential.
func digestID(credential string) identity {
	user, _, _ := strings.Cut(credential, ":")
	sum := sha1.Sum([]byte(credential))
	return identity{"digest", user + ":" + base64.StdEncoding.EncodeToString(sum[:])}
}

// allowed tells whether one of ids may do perm under list. An empty list allows everything.
func allowed(list []grant, perm int32, ids []identity) bool {
	if len(list) == 0 {
		return true
	}
	for _, a := range list {
		if a.Perms&perm == 0 {
			continue
		}
		if a.Scheme == "world" && a.ID == "anyone" {
			return true
		}
		for _, id := range ids {
			if id.scheme == a.Scheme && matches(id, a.ID) {
				return true
			}
		}
	}
	return false
}

func matches(id identity, expr string) bool {
	switch id.scheme {
	case "digest", "sasl":
		return id.id == expr
	case "ip":
		return ipMatches(id.id, expr)
	}
	return false
}

// ipMatches compares an address with an expression "address" or "address/bits".
func ipMatches(addr, expr string) bool {
	base, bits, ok := parseIPExpr(expr)
	ip := net.ParseIP(addr).To4()
	if !ok || ip == nil {
		return false
	}
	mask := net.CIDRMask(bits, 32)
	return ip.Mask(mask).Equal(base.Mask(mask))
}

func parseIPExpr(expr string) (net.IP, int, bool) {
	addr, rest, cut := strings.Cut(expr, "/")
	bits := 32
	if cut {
		n, err := strconv.Atoi(rest)
		if err != nil || n < 0 || n > 32 {
			return nil, 0, false
		}
		bits = n
	}
	ip := net.ParseIP(addr).To4()
	return ip, bits, ip != nil
}

// fixACL checks the ACL of a create or setACL request and replaces the "auth" scheme by the
// requester's digest and sasl identities. The scheme "sasl" is valid only if the requester has a
// sasl identity. Duplicates are dropped.
func fixACL(list []grant, ids []identity) ([]grant, Code) {
	var unique []grant
	for _, a := range list {
		if !slices.Contains(unique, a) {
			unique = append(unique, a)
		}
	}
	if len(unique) == 0 {
		return nil, CodeInvalidACL
	}
	var fixed []grant
	for _, a := range unique {
		expanded := expandACL(a, ids)
		if len(expanded) == 0 {
			return nil, CodeInvalidACL
		}
		fixed = append(fixed, expanded...)
	}
	return fixed, CodeOK
}

// expandACL returns what a stands for, or nothing when it is invalid.
func expandACL(a grant, ids []identity) []grant {
	switch a.Scheme {
	case "world":
		if a.ID == "anyone" {
			return []grant{a}
		}
	case "auth":
		var list []grant
		for _, id := range ids {
			if id.scheme == "digest" || id.scheme == "sasl" {
				list = append(list, grant{a.Perms, id.scheme, id.id})
			}
		}
		return list
	case "digest":
		if validDigest(a.ID) {
			return []grant{a}
		}
	case "sasl":
		if slices.ContainsFunc(ids, func(id identity) bool { return id.scheme == "sasl" }) {
			return []grant{a}
		}
	case "ip":
		if _, _, ok := parseIPExpr(a.ID); ok {
			return []grant{a}
		}
	}
	return nil
}

// validDigest wants exactly two parts; a trailing colon does not make one.
func validDigest(id string) bool {
	parts := strings.Split(strings.TrimRight(id, ":"), ":")
	return len(parts) == 2
}

// hideDigests is what getACL shows to those who have no permission to administer the znode: digest
// hashes are replaced by "x".
func hideDigests(list []grant) []grant {
	hidden := slices.Clone(list)
	for i, a := range hidden {
		if user, _, ok := strings.Cut(a.ID, ":"); ok && a.Scheme == "digest" {
			hidden[i].ID = user + ":x"
		}
	}
	return hidden
}
