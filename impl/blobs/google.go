//go:build !nogcs

package blobs

import _ "gocloud.dev/blob/gcsblob" // gs:// URLs; 8 MB of the program as make builds it, and 14 MB of memory at rest
