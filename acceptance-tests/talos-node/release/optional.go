package release

import "reflect"

// SetIfPresent sets a field of a spec that not every minor has; where it is missing there is nothing to say. One
// function instead of a file per field and span of minors.
func SetIfPresent(spec any, field string, value any) {
	target := reflect.ValueOf(spec).Elem().FieldByName(field)
	if target.IsValid() {
		target.Set(reflect.ValueOf(value).Convert(target.Type()))
	}
}
