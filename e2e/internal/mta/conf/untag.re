/^prvs=[0-9]{4}[0-9a-f]{6}=([^@,]+@example\.com)$/ $1
/^prvs=[0-9]{4}[0-9a-f]{6}=([^@,]+@virtual\.example\.net)$/ $1
/^prvs=[0-9]{4}[0-9a-f]{6}=([^@,]+@mailbox\.example\.net)$/ $1
/^prvs=[0-9]{4}[0-9a-f]{6}=([^@,]+@relay\.example\.net)$/ $1
