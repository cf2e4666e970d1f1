"""What proves it afterwards: the timeline, the sealed files, the certificate."""
