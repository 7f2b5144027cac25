/^prvs=[0-9]{4}[0-9a-f]{6}=([^@,]+@verify\.example\.net)$/ $1
