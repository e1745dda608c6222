// Package enum names the values of enumerations.
package enum

import "fmt"

// Name returns the name of a value, where names are those of 0, 1 and so on. A value that has no
// name is called by its type and its number: a String method must neither panic nor be silent,
// because it is used where something is wrong already.
func Name[E ~int](value E, names []string) string {
	if value >= 0 && int(value) < len(names) && names[value] != "" {
		return names[value]
	}
	return fmt.Sprintf("%T(%d)", value, int(value))
}
