module gopty

go 1.19
